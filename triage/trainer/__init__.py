"""The trainer's loop 训练师: from what likely went wrong to a better model, one noun a file."""
