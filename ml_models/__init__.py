"""The classifier: taxonomy, imaging, training, evaluation, export and runtime. Knows no Django."""
