"""What is on the screen: pixels of a viewport, and where a point of the radiograph lies there."""

import io

import numpy as np
from PIL import Image


def pixels(page, name="first"):
    """(H, W, 3) of a viewport as it is shown."""
    content = page.get_by_test_id(f"viewport-{name}").screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=int)


def place(page, image_wh, point, *, turns=0, mirrored=False, name="first"):
    """Where an image point lies in a viewport that shows the whole picture: CSS px, from its top left corner.

    A second implementation of viewer/view.js: mirrored, then turned clockwise, then fitted.
    """
    box = page.get_by_test_id(f"viewport-{name}").bounding_box()
    width, height = image_wh if turns % 2 == 0 else image_wh[::-1]
    scale = min(box["width"] / width, box["height"] / height)
    x, y = point[0] - image_wh[0] / 2, point[1] - image_wh[1] / 2
    x = -x if mirrored else x
    for _ in range(turns):
        x, y = -y, x
    return box["width"] / 2 + x * scale, box["height"] / 2 + y * scale


def on_screen(page, *args, **kwargs):
    """The same from the window's corner, for the mouse."""
    box = page.get_by_test_id(f"viewport-{kwargs.get('name', 'first')}").bounding_box()
    x, y = place(page, *args, **kwargs)
    return box["x"] + x, box["y"] + y


def colour(picture, at):
    """Colour of the pixel at CSS px (x, y)."""
    return picture[int(at[1]), int(at[0])]


def drag(page, start, end, *, button="left"):
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up(button=button)
