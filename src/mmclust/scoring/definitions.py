"""How scores are computed, by id. A changed definition is a new id."""

from __future__ import annotations

DEFINITIONS = {
    "clustering-2": (
        "acc by one-to-one Hungarian matching of clusters and classes (clusters "
        "without a class count as wrong); nmi with the arithmetic mean of entropies "
        "(equals V-measure); ari by Hubert and Arabie 1985; purity by the commonest "
        "class of each cluster; f1 the mean over classes of F1 after acc's matching (0 "
        "for a class without a cluster); cluster -1 is noise: wrong in acc, f1 and "
        "purity, one more cluster in nmi and ari"
    ),
    "ami-1": (
        "mutual information adjusted for chance, arithmetic mean of entropies (Vinh, "
        "Epps and Bailey, JMLR 11, 2010); noise is one more cluster"
    ),
    "use-1": (
        "clusters: those that hold an image; largest: the largest cluster's share of "
        "the images; noise: the share of images in no cluster; means over seeds"
    ),
    "names-2": (
        "over clusters matched to a class; exact: the first name is the class's; "
        "exact_at_5: the class's name, or each of its words, is among the first five "
        "(case, underscores and a final s aside)"
    ),
    "internal-2": (
        "silhouette (Rousseeuw 1987) on a seeded sample of at most 2,000 images; "
        "davies_bouldin (1979, lower is better) and calinski_harabasz (1974) on all; "
        "Euclidean, on rows at unit norm, noise left out, mean over seeds; stability: "
        "mean ARI of all pairs of seeds, on the images that both put in a cluster"
    ),
    "retrieval-1": (
        "recall at 1, 5 and 10: share of queries with a right candidate that fewer "
        "than K wrong ones outscore; rsum: the six recalls in percent, added; ties "
        "optimistic"
    ),
    "categorization-1": (
        "after Berger et al., NAACL 2022: v_measure_score with beta 1; purity: mean "
        "over words of the largest share of one category in their cluster; "
        "collocation: of one cluster in their category; pu_co_f1 their harmonic mean; "
        "fscore of SemEval 2007 task 2: each category's best F over clusters, weighted "
        "by size; ignore_unknown: categories restricted to the word list, words "
        "without a cluster left out; include_unknown: all categories, words without a "
        "cluster in one cluster of their own"
    ),
    "concreteness-1": (
        "after Berger et al., NAACL 2022: over words that have both a count and a "
        "rating; a word without an estimate has 0; concreteness_prediction_mae: mean "
        "absolute difference of rating and estimate, whose scales differ; "
        "prediction_correlation_over_m: Pearson's r over words with count above m; "
        "spearman_over_m: Spearman's rho over the same words"
    ),
    "association-1": (
        "after Berger et al., NAACL 2022: over all unordered pairs of words in the "
        "same cluster, mas is the summed strength of the pairs that the norms have "
        "over the number of these pairs; pairs that the norms lack do not enter mas: "
        "found and not_found count both, coverage is the share of found; words "
        "without a cluster are left out"
    ),
    "supervised-1": (
        "support vector regression (RBF, C 1, epsilon 0.1, gamma scale) on parts of "
        "speech, suffixes and word vectors; trained_on_test: fitted on all rated words "
        "and scored on the same, as published; cross_validated: each word predicted by "
        "a model that has not seen its rating"
    ),
    "grounding-2": (
        "micro-averaged precision, recall and F1 over images (0 where undefined), "
        "means over runs; published definitions of Berger et al., NAACL 2022, unless "
        "the name says held_out, iou_images or mask, or is heatmap"
    ),
}


def defined(name: str) -> str:
    """Return a definition with its id before it, as files of one's own hold it."""
    return f"mmclust {name}: {DEFINITIONS[name]}"
