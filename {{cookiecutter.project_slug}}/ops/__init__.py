"""How is the service shipped? One module for each make target; `steps` prints, `shell` and `git` run programs."""
