"""A simulated market and a server that speaks the vendors' wire formats about it.

Nothing here is real: prices are drawn from a seed. The ids of a few coins are real
CoinGecko ids because the reference tables classify coins by id; every other coin's id
begins with ``sim-``.
"""
