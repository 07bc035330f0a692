"""Distilling an ensemble of networks into a small one."""
