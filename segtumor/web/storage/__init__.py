"""What the page keeps: a database of cases, images and reviews, and files named by their hash beside it."""
