"""The Docker sandbox: engine, images, containers, and the commands in them."""
