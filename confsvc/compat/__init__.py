"""Compatibility: would the old artifact start on the new configuration, and the new one on the old?"""
