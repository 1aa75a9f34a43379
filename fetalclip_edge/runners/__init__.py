"""Runners: what runs the network, behind one seam."""
