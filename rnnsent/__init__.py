"""SimpleRNN against LSTM on IMDB reviews, in pure-functional JAX and Flax.

Modules follow the way of the data: ``data`` → ``cells`` → ``recurrence`` → ``model`` →
``training`` → ``evaluation`` → ``analysis`` → ``report``. Each imports only what stands before it.
"""
