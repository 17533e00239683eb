"""The one training loop: optimizer, schedule, guards, checkpoints. What is learnt is an objective's business."""
