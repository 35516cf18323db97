"""Latin words that the rules of latin.py would read wrongly, or not at all.

Spellings follow 표준국어대사전, the NIKL's 외래어 표기 용례 or, for names of products, their
owners' Korean name. ``?`` marks words that are read in ways that differ (York: 요크, but 뉴욕).
"""

from __future__ import annotations

from kit19.korean.finals import Final, final_of_reading


def _table(text: str) -> dict[str, Final]:
    pairs = zip(*[iter(text.split())] * 2, strict=True)
    return {
        word: Final.UNDECIDABLE if reading == "?" else final_of_reading(reading)
        for word, reading in pairs
    }


# Keyed in lower case; also looked up for the last part of a compound (GitHub: hub).
WORDS = _table(
    """
    mr 미스터  mrs 미시즈  ms 미즈  dr 닥터  jr 주니어  sr 시니어  st ?  mt ?  ltd 리미티드
    app 앱  apps 앱스  web 웹  job 잡  club 클럽  pub 펍  hub 허브  lab 랩  blog 블로그
    log 로그  vlog 브이로그  bag 백  big 빅  tag 태그  bug 버그  dog 도그  hotdog 핫도그
    flag 플래그  zigzag 지그재그  good 굿  god 갓  david ?
    book 북  facebook 페이스북  notebook 노트북  macbook 맥북  ebook 이북  look 룩  hook 훅
    rock 록  stock 스톡  black 블랙  block 블록  click 클릭  track 트랙  truck 트럭  pack 팩
    back 백  jack 잭  slack 슬랙  quick 퀵  nick 닉  kick 킥  stick 스틱  check 체크
    shock 쇼크  knock 노크  neck 넥  deck ?  patrick 패트릭  hitchcock 히치콕
    tok 톡  tiktok 틱톡  kakaotalk 카카오톡  chatbot 챗봇  bot 봇  robot 로봇
    york ?  week 위크  cook 쿡  peak 피크  steak 스테이크  break 브레이크
    chat 챗  cat 캣  pet 펫  net 넷  internet 인터넷  dotnet 닷넷  set 세트  hit 히트
    kit ?  bit 비트  shot 숏  spot 스폿  rocket 로켓
    market 마켓  ticket 티켓  basket 바스켓  tablet 태블릿  wallet 월릿  planet 플래닛
    reddit 레딧  credit ?  summit ?  fit ?
    pocket 포켓  secret 시크릿  gadget 가젯
    cut 컷  layout 레이아웃  out 아웃
    boot 부트  foot 풋  root 루트  fruit 프루트  suit 슈트  light 라이트  night 나이트
    knight 나이트  right 라이트  flight 플라이트  spotlight 스포트라이트  heat 히트  beat 비트
    meat 미트  seat 시트  sheet 시트  diet 다이어트  format 포맷
    point 포인트  powerpoint 파워포인트  saint ?  front 프런트  giant 자이언트
    plant 플랜트  paint 페인트  restaurant 레스토랑  croissant 크루아상
    talent 탤런트  content ?  rent 렌트  cent 센트  mont 몽  account 어카운트
    discount 디스카운트  count 카운트  assistant 어시스턴트
    map 맵  roadmap 로드맵  top 톱  laptop 랩톱  desktop 데스크톱
    shop 숍  workshop 워크숍  photoshop 포토숍  pop 팝  kpop 케이팝  hiphop 힙합  jump 점프
    step 스텝  ship ?  chip 칩  clip 클립  tip 팁  zip 집  group 그룹  soup 수프
    startup 스타트업  up 업  backup 백업  cup 컵  worldcup 월드컵  keep 킵
    sleep 슬립  jeep 지프  snap 스냅  wrap 랩  rap 랩  gap 갭
    music 뮤직  classic 클래식  magic 매직  logic 로직  public 퍼블릭  republic 리퍼블릭
    comic 코믹  titanic 타이타닉  epic 에픽  atlantic 애틀랜틱  mac 맥
    zodiac 조디악  cadillac 캐딜락  topic 토픽  traffic 트래픽  electric 일렉트릭
    iraq 이라크  nasdaq 나스닥  kosdaq 코스닥  jpeg 제이펙  toeic 토익  opec 오펙
    game 게임  home 홈  time 타임  name 네임  chrome 크롬  prime 프라임  theme 테마
    frame 프레임  anime 애니메  volume 볼륨  extreme 익스트림  crime 크라임
    phone 폰  iphone 아이폰  smartphone 스마트폰  one 원  zone 존  line 라인  online 온라인
    offline 오프라인  airline 에어라인  timeline 타임라인  machine 머신  engine 엔진
    magazine 매거진  marine 마린  champagne 샴페인  wine 와인  drone 드론  clone 클론
    scene 신  ukraine 우크라이나  fine 파인  mine 마인
    date 데이트  update 업데이트  site 사이트  website 웹사이트  note 노트  route ?
    chocolate 초콜릿  private 프라이빗  minute 미니트  favorite ?  white 화이트  lite 라이트
    suite 스위트  template 템플릿  estate 에스테이트  state 스테이트  institute 인스티튜트
    fortnite 포트나이트  byte 바이트  elite 엘리트
    cake 케이크  nike 나이키  bike 바이크  coke ?  fake 페이크  luke ?  brooke 브룩
    joke 조크  strike 스트라이크  like 라이크  duke 듀크  lake 레이크  make 메이크  karaoke 가라오케
    europe 유럽  type 타입  prototype 프로토타입  skype 스카이프  tape 테이프  cape 케이프
    pipe 파이프  hope 호프  pope 포프  recipe 레시피  shape 셰이프  landscape 랜드스케이프
    escape 이스케이프  grape 그레이프
    google 구글  apple 애플  oracle 오라클  nestle 네슬레  belle 벨
    marseille 마르세유  camille 카미유  style 스타일  mobile 모바일  file 파일  profile 프로필
    title 타이틀  people 피플  smile 스마일  tesla 테슬라  rule 룰
    module 모듈  capsule 캡슐  schedule 스케줄  console 콘솔  whole 홀  hole 홀  scale 스케일
    sale 세일  wholesale 홀세일  male 메일  female 피메일  chile 칠레  pele 펠레
    finale 피날레  ukulele 우쿨렐레  castle 캐슬  isle 아일
    boutique 부티크  technique 테크닉  antique ?  unique 유니크  tongue 텅
    tech 테크  coach 코치  bach 바흐  munich 뮌헨  church 처치  search 서치  research 리서치
    beach 비치  touch 터치  punch 펀치  lunch 런치  branch 브랜치  launch 론치  march 마치
    french 프렌치  rich 리치  sandwich 샌드위치  twitch 트위치  zurich 취리히
    graph 그래프  joseph ?  photograph 포토그래프  goliath 골리앗
    nazareth 나사렛  cannes 칸  rennes 렌  charles ?  orleans ?  amiens 아미앵  latex ?
    etc ?  ok 오케이  vs 버서스
    """
)

# All in capitals, where the letters' names would mislead: read as words, or either way.
UPPER_WORDS = _table(
    """
    TOP 톱  POP 팝  ZIP 집  MAP 맵  APP 앱  WEB 웹  BIG 빅  JOB 잡  HIT 히트  NET 넷
    ALL 올  THE 더  KIT ?  CUP 컵  BOT 봇  GOD 갓  POT ?  LAB 랩  HUB 허브
    BEST 베스트  JPEG 제이펙  MPEG 엠펙  TOEIC 토익  OPEC 오펙  KOSDAQ 코스닥  NASDAQ 나스닥
    OO ?  OOO ?  RADAR 레이더  LASER 레이저  UNESCO 유네스코
    """
)
