"""What strangers write, checked and evaluated in processes that can die alone.

The usual decision is made in the controller's own process, where its expressions may take a tenth
of a second together. One that asks for more, and a flow that is large, come here: to a few
processes with bounds on their memory and time, so that neither a long expression nor one that ends
its process is felt by anybody else.
"""
