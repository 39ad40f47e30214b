"""How is the service shipped? One module for each make target: `python -m ops.<name>`."""
