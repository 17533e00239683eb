"""Generation: one decoding loop behind chat, sampling, evaluation, RL and explanations alike."""
