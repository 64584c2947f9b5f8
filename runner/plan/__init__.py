"""What will happen: order, models, tools; pure."""
