"""Training on the same few examples, which any model must be able to learn."""

import torch
from detectron2.utils.events import EventStorage


def overfit(model, examples, *, learning_rate, steps=60):
    """Steps of AdamW on one batch, in place."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    model.train()
    with EventStorage():
        for _ in range(steps):
            optimizer.zero_grad()
            sum(model(examples).values()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
