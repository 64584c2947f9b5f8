"""What a conversation is: messages, models, tools, and the two protocols to the outside."""
