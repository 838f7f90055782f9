"""Commands that make a data set of a published or a drawn one."""
