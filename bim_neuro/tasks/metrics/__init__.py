"""How well a task is done, in the figures its field reports.

classes     accuracy, sensitivity of each class, macro F1
text        perplexity a word, bits a character
strings     error rates of words, characters and digits
scores      AUROC, AUPRC beside the prevalence, macro AUC with its bootstrap interval
events      sensitivity by event, false alarms a day
"""

from .classes import Metrics, majority, metrics, wilson

__all__ = ["Metrics", "majority", "metrics", "wilson"]
