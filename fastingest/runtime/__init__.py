"""What the processes of a run share: who does what, and how a child is set up."""
