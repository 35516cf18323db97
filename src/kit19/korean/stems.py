"""What is left of a Korean word when its particle or ending changes: its first two letters.

Korean changes words at their end (창문을, 창문은, 창문에서는), so the first two letters of a word
mostly stay. If a single letter precedes a particle or ending (귤을, 집에서는, 갔다), only
that letter stays. This is not morphology: 나이 is taken for 나 with a particle. It need not
be right, only the same for the same word; where it differs for two forms of one word, one word of a
sentence is lost.

A number does not change at its end: 20만원 and 2000원 have nothing in common. So its stem is the full
number (20만, 2000), also behind one letter (제20대).
"""

from __future__ import annotations

STEM = 2
"""Letters of a stem, at most."""

_TAILS = """
은 는 이 가 을 를 에 의 도 만 와 과 로 서 께 나 랑 야 아 들 에서 에게 으로 까지 부터 하고 한테
에는 에도 에만 로는 로도 이나 이라 이랑 라도 라는 처럼 보다 마다 조차 마저 밖에 께서 에선 만은
만이 만을 와는 과는 와도 과도 들이 들은 들을 들의 에서는 에서도 에서만 에게는 에게도 으로는 으로도
까지는 까지도 부터는 한테는 이라도 이라는 다 네 지 고 며 면 자 니 라 까 요 죠 인 한 할 된 이다
이고 입니다 이에요 네요 군요 고요 나요 어요 아요 니다 습니다 었다 았다 는다 었던 았던 었고 았고
었어요 았어요 으며 으면 지만 는데 어서 아서 려고 도록 라고 다고 다는 는지 하다 하는 하고 하게 하여
해서 했다 한다 해요 합니다 됐다 된다
"""
TAILS = frozenset(_TAILS.split())
"""Particles and endings of one to three letters that may stand behind a single one."""
LONGEST_TAIL = max(map(len, TAILS))
MULTIPLIERS = "십백천만억조"
"""Letters that belong to the number before them."""
