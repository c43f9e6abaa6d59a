"""The programs that fastingest is compared with, one in each file."""
