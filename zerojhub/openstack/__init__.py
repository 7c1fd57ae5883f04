"""OpenStack, thin: one authenticated session, and the few calls the kit makes of each service."""
