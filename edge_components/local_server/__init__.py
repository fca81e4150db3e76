"""The Greengrass component `com.edgepipe.LocalServer`: images in over HTTP, predictions and result files out.

It is a program of its own (`python3 -m local_server`), with its own requirements; nothing else imports it.
"""
