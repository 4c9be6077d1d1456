"""One module per vendor: what it answers about the simulated market, in its own words."""
