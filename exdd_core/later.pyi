import torch as torch
from scipy import linalg as linalg, ndimage as ndimage, sparse as sparse, special as special, stats as stats
from sklearn import linear_model as linear_model, metrics as metrics, preprocessing as preprocessing
from torch import nn as nn

def load() -> None: ...
def is_loading() -> bool: ...
