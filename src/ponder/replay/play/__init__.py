"""Methods played on a trace."""
