"""How Penstock's parts know each other in a cluster: the installation has a certificate authority
(CA) of its own, and each service a certificate of it."""
