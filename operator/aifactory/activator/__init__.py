"""The program of activator pods: holds requests while a service has no replica, and has one made."""
