"""The language of a text by its function words."""

import pytest

from workflow_scripts.pool.languages import FUNCTION_WORDS, LANGUAGES, languages_of
from workflow_scripts.texts.words import find_words

SENTENCES = {
    "English": "The committee has decided that it will not discuss the report before the end of the year.",
    "German": "Der Ausschuss hat entschieden, dass er den Bericht nicht vor dem Ende des Jahres besprechen wird.",
    "French": "La commission a décidé que le rapport ne sera pas discuté avant la fin de cette année.",
    "Spanish": "El comité ha decidido que no va a discutir el informe hasta el final de este año.",
    "Portuguese": "O comité decidiu que não vai discutir o relatório até ao fim do ano, mas há também outros.",
    "Italian": "Il comitato ha deciso che non discuterà della relazione prima della fine di questo anno.",
    "Dutch": "Het comité heeft besloten dat het verslag niet voor het einde van dit jaar wordt besproken.",
    "Swedish": "Utskottet har beslutat att det inte ska diskutera rapporten före slutet av året, men vi får se.",
    "Danish or Norwegian": "Udvalget har besluttet, at det ikke skal drøfte rapporten før slutningen af året.",
    "Finnish": "Valiokunta on päättänyt, että se ei käsittele mietintöä ennen kuin vuosi on lopussa.",
    "Polish": "Komisja zdecydowała, że nie będzie omawiać tego sprawozdania przed końcem roku, ale to już wiadomo.",
    "Czech": "Výbor rozhodl, že se o zprávě nebude jednat, ale že to není konec, protože také jiné jsou na stole.",
    "Hungarian": "A bizottság úgy döntött, hogy nem tárgyalja meg az év vége előtt, de ez még csak egy terv.",
    "Romanian": "Comisia a decis că nu va discuta acest raport până la sfârșitul anului, dar că este și o altă cale.",
    "Turkish": "Komite, bu rapor için yıl sonuna kadar bir karar vermedi, ama daha sonra bunu da ele alacak.",
    "Indonesian or Malay": "Komite itu telah memutuskan bahwa laporan ini tidak akan dibahas pada tahun yang sama.",
    "Russian": "Комитет решил, что он не будет обсуждать этот доклад до конца года, но это только начало.",
    "Ukrainian": "Комітет вирішив, що він не буде обговорювати цю доповідь до кінця року, але це лише початок.",
}


def languages(texts):
    return [LANGUAGES[number] for number in languages_of(find_words([text.encode() for text in texts]))]


def test_every_language_is_recognised_in_any_case():
    assert set(SENTENCES) == set(FUNCTION_WORDS)
    assert languages(SENTENCES.values()) == list(SENTENCES)
    assert languages(text.upper() for text in SENTENCES.values() if text.isascii()) == [
        name for name, text in SENTENCES.items() if text.isascii()
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = [i * k for k, v in z.items()]; return s",
        "theorem a (o s u : ℕ) : o + s = s + o := by ring",
        "12 14 19.3 8 4 | 3 | 9",
        "the",
        " ".join(["Wittgenstein Tractatus Logico"] * 40 + ["the which their from would"]),
    ],
)
def test_code_formulas_numbers_and_too_few_words_have_no_known_language(text):
    assert languages([text]) == ["unknown"]


def test_a_text_does_not_count_for_its_neighbour():
    texts = [SENTENCES["Dutch"], "", SENTENCES["Polish"], "1 2 3"]
    assert languages(texts) == ["Dutch", "unknown", "Polish", "unknown"]


def test_function_words_are_single_words_and_no_variables():
    for words in FUNCTION_WORDS.values():
        found = find_words([word.encode() for word in words.split()])
        assert (found.counts() == 1).all()
        assert not any(len(word) == 1 and word.isascii() for word in words.split())
