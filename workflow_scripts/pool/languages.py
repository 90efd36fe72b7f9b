"""Which language a text is written in, by its function words: articles, prepositions, pronouns, conjunctions.

The score of a language is the number of words of the text that are in its list; a word in the lists of k languages
counts 1/k. The language with the largest score is taken if that is at least LEAST_SCORE and at least LEAST_SHARE of the
words. Otherwise the language is unknown, as it is for tables, formulas and most code. Scripts with few languages, such
as Thai, are recognised by their letters (`characters.py`).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.texts.hash_filter import HashFilter
from workflow_scripts.texts.words import Hashes, Words, find_words, owners

LEAST_SCORE = 3.0
LEAST_SHARE = 0.06

# Without single Latin letters, which are variables in formulas and code.
FUNCTION_WORDS = {
    "English": "the of and to in is that for it was with as his on be at by had not are but from or have an they "
    "which one you were her all she there would their we him been has when who will more no if out so said what up "
    "its about into than them can only other",
    "German": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden "
    "aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber "
    "vor zur bis mehr durch man sein wurde sei wenn",
    "French": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont ou avec "
    "son cette aux mais comme on tout nous sa fait été aussi leur bien peut ces elle deux être sans ses entre nos "
    "vous je",
    "Spanish": "de la que el en los se del las un por con no una su para es al lo como más pero sus le ha me si "
    "sin sobre este ya entre cuando todo esta ser son dos también fue había era muy hasta desde está nos porque han",
    "Portuguese": "de que do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
    "seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos "
    "são",
    "Italian": "di il la che in per un del è non una della con sono da si le dei al come nel ha più alla anche gli "
    "delle ma lo questo su se mi dal dalla nella ci essere ad stato ed tra cui hanno loro dell sua quando questa "
    "suo",
    "Dutch": "de het een en van in is dat op te zijn voor met die niet aan er om ook als dan maar bij nog uit door "
    "over ze ik hij was worden of naar heeft hebben deze kan wel zich tot meer wij moet wordt werd veel zal onze "
    "tegen geen",
    "Swedish": "och att det en som på är av för med den till inte har de ett om vi jag var men sig så från kan man "
    "när år säger hon under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla "
    "andra",
    "Danish or Norwegian": "og at det er en til som på de med for av den ikke der et har om var han fra vi jeg men "
    "sig så kan nu man efter eller hun blev også ved hvor når skal mod ville være havde hvis mange ble etter noe "
    "seg",
    "Finnish": "ja on ei se että oli hän mutta ovat myös kun niin kuin joka tai jos mitä sen ole olla jo voi tämä "
    "vain nyt hänen kuitenkin sitä sekä ne nämä jotka tässä siitä vielä sillä ollut koska jonka mukaan siis olisi",
    "Polish": "nie na się że do to jest jak po co tak za od ale jego przez był dla tym czy jej już tylko może przy "
    "są ma było jako oraz ich ze które który która być tego także więc gdy nad pod bardzo",
    "Czech": "se na je že do to ve pro za by ale si po jako jsou které od jeho podle jsem byl nebo už při tak "
    "který být která jen aby však také co což má této může mezi bylo byla",
    "Hungarian": "az és hogy nem is egy ez meg de csak már volt van mint még vagy amely azt ezt el kell minden "
    "olyan lehet ha között után aki mert pedig ezek így lesz illetve által nagyon ami itt sem való",
    "Romanian": "de și în la cu că nu pe din este un mai să pentru care se au fost sunt ce al ale prin dar sau lui "
    "după fi această acest cel cea între dacă fiind avea ca le ei lor când foarte numai",
    "Turkish": "ve bir bu da de için ile çok olarak daha gibi en olan kadar sonra ne var ama her ya değil mi ise "
    "olduğu göre ki onun şey bunu ben sen biz iki tarafından ancak diye",
    "Indonesian or Malay": "yang dan di dengan untuk ini itu dari dalam tidak pada akan adalah ke juga sebagai "
    "oleh ada atau mereka telah dapat saya karena tersebut sudah bisa lebih kami anda bahwa seperti kita para "
    "antara menjadi",
    "Russian": "и в не на что с по как это но он к из у от за для о же так его все она бы то мы вы они только был "
    "или я а если уже когда было быть при до этого ни даже их чтобы были после над может",
    "Ukrainian": "і в не на що з у до та як це за від для його по про є але він або який вона було ми ви вони "
    "тільки я а якщо вже коли бути при які її був їх щоб були після може також більше",
}


@cache
def _lists() -> tuple[HashFilter, NDArray[np.float64]]:
    """The hashes of all function words, and for each the number that it adds to every language."""
    languages = [set(words.split()) for words in FUNCTION_WORDS.values()]
    every = sorted(set().union(*languages))
    counts = np.array([[word in words for words in languages] for word in every], dtype=float)
    counts /= counts.sum(axis=1, keepdims=True)
    hashes: Hashes = find_words([word.encode() for word in every]).hashes
    order = np.argsort(hashes)
    return HashFilter(hashes[order]), counts[order]


LANGUAGES = ("unknown", *FUNCTION_WORDS)
"""By the number that `languages_of` gives."""


def languages_of(words: Words) -> NDArray[np.int64]:
    """The number of each text's language."""
    function_words, counts = _lists()
    places, numbers = function_words.find(words.hashes)
    texts = owners(words)[places]
    n_texts = len(words.texts)
    scores = np.stack(
        [np.bincount(texts, weights=of_language[numbers], minlength=n_texts) for of_language in counts.T],
        axis=1,
    )
    best = scores.argmax(axis=1)
    score = scores[np.arange(n_texts), best]
    is_known = (score >= LEAST_SCORE) & (score >= LEAST_SHARE * words.counts())
    return np.where(is_known, best + 1, 0)
