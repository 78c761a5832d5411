"""Wrong answers to chapter vgg."""
