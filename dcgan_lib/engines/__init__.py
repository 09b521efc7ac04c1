"""What TensorFlow, JAX and PyTorch each do in their own way: one module for each, with the same functions.

What belongs here: the value and the gradient of a loss, how a step is compiled, and what is to be known of the device.
``backend`` loads one of them, as ``engine``; everything else is written once, with ``keras.ops``.
"""
