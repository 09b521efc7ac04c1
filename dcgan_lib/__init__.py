"""The library under the annotated Keras DCGAN.

Read the modules in this order; each imports only from those before it:
``errors``, ``backend``, ``files``, ``reading``, ``data``, ``own_images``, ``models``, ``noise``, ``training``,
``steps``, ``devices``, ``generating``, ``pictures``, ``runs``, ``metrics``, ``callbacks``, ``help_texts``,
``command_line``, ``benchmark``.
``backend`` loads one of the three modules in ``engines``.
``animations`` stands beside them and needs ``errors`` and ``files`` alone.
"""
