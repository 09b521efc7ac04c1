"""The library under the annotated Keras DCGAN.

Read the modules in this order; each imports only from those before it:
``backend``, ``files``, ``data``, ``models``, ``training``, ``generating``, ``metrics``, ``callbacks``, ``__main__``.
``animations`` stands beside them and needs ``files`` alone.
"""
