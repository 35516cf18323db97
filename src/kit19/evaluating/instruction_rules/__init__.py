"""Rules that check whether a Korean answer follows an instruction, without a judge.

Instructions have the ids and arguments of IFEval (arXiv 2311.07911), which IFEval-Ko and KITE (arXiv
2510.15558) share, and KITE's ids for Korean. The rules are ours, written for Korean: 어절 are counted
instead of English tokens, a keyword may carry a particle, sentences end as Korean ones do. So scores
are close to those of the benchmarks' own scripts, not equal.
"""
