"""What was scored, over time: history, rows, differences, and made again."""
