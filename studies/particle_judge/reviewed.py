"""Words about which the analyzer and the templates disagree, and which have been reviewed.

They are listed one by one, so that any other disagreement is unexplained until it is reviewed.
``docs/korean.md`` explains each kind.
"""

from __future__ import annotations

UNSPLIT_WORDS = {
    "dictionary word": """문제없 한마디 이다음 빈칸 물어봤 불러온 인공지능
        전제 문장 초등학생 그다음 왜냐하면 짝지어 딴소리 해설 판정 찾아볼 들어온 시험하 화자 옆자리
        집안일 높임말 반말 돌려주 끝부분""",
    "compound": """별점 점검표 정답표 정리표 비교표 분석표 평가표 기준표 기록표 영화평 관람평 감상평
        판례집 검색창 입력란 판정란 유사도""",
    "name": """성소수자 위키백과 국민청원 판결요지 정치개혁 경제민주화 성장동력 보건복지 고령화대책
        성평등 접수대장""",
    "loanword": "라벨링 인텐트 스마트홈 스마트워치 팩트체크",
    "particle or ending": "이려는데 배우는데 경위보다 없는지 보고드립 제보받",
}
"""Words that we write as one word and the judge as two."""

KNOWN_TO_US = """맞음 같음 다름 같다 다르다 대분류 감수자 판례집 비추천 가설문 불리언
    인텐트 수학봇 삐빅"""
"""Words that the judge does not know."""

TYPED_IN_A_CHAT = """심한거 예민한거냐 내야되는 내야되는데 숙젠데 답좀ㅠ 귀찮음ㅠ 해줘 고르는거래
    뭐야ㅠㅠ 시험범위인데 같은뜻임? 헷갈려죽겟음 약한데ㅠ 맞는말인지 틀린말인지 모르는건지 알려줘
    정리중인데
    두개 똑같은말임?? 단톡에서 조사보고서 써주라 변시 뽑아줘 세번 나옴ㅠㅠ 보라는건지 말라는건지
    모르겟음ㅋㅋ 라벨링중인데 헷갈림ㅠ 두문장 바꾼거임 바뀐거임?? 올릴건데 뭐라하지 추천좀
    똑같은말이야? 지울려고ㅋㅋ 하라는거임?? 할일만 말해야되는데 써줘 급함ㅠㅠ 어케 말해야될지
    있는거"""
"""Words of prompts that are written as people type in a chat. In answers they are unexplained."""
