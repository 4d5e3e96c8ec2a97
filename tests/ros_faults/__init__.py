"""What goes wrong on other people's robots, as a table of scenarios on fake robots over real DDS."""
