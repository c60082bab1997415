"""How well the site is: for people, for proxies and for Prometheus."""
