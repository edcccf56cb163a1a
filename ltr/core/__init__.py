"""What every part shares: masks, random keys, optimizers, schedules."""
