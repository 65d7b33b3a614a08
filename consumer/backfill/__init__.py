"""What was kept until now, taken in once: decoded in processes of its own, written in one."""
