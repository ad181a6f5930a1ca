"""`python -m dermaplatform.launcher`: the whole platform on one machine, as `make run` starts it.

Two promises shape it. A process that dies is started again; and when the launcher ends, by Ctrl-C or by
`kill -9`, no process stays behind. Every service runs in its own session, so a whole family can be killed at
once, and the guardian, a process of its own, kills them all when the launcher's end of a pipe closes.
"""
