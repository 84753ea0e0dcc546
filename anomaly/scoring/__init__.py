"""From a window to a judgement: severity, name and words of a deviation. Pure: the model and the matrix are handed in.
"""
