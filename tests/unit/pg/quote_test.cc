#include "pg/quote.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "pg/error.h"

namespace pgteal::pg {
namespace {

// The server's scanner (src/backend/parser/scan.l) for one token: what it would read from `sql`, or
// nothing when the token does not end where the text does.
struct Token {
  bool is_whole = false;
  std::string text;
};

Token Scan(const std::string& sql, char quote, bool has_escapes) {
  Token token;
  size_t at = 1;
  for (; at < sql.size(); ++at) {
    if (has_escapes && sql[at] == '\\') {
      if (++at == sql.size()) return token;
      token.text += sql[at];
    } else if (sql[at] == quote) {
      if (at + 1 == sql.size() || sql[at + 1] != quote) break;
      token.text += sql[at++];
    } else {
      token.text += sql[at];
    }
  }
  token.is_whole = at + 1 == sql.size();
  return token;
}

Token ScanLiteral(const std::string& sql, bool standard_conforming_strings) {
  if (sql.starts_with(" E'")) return Scan(sql.substr(2), '\'', true);
  return Scan(sql, '\'', !standard_conforming_strings);
}

TEST(Quote, Identifiers) {
  EXPECT_EQ(QuoteIdentifier("t"), "\"t\"");
  EXPECT_EQ(QuoteIdentifier(""), "\"\"");
  EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(QuoteIdentifier("select"), "\"select\"");
  EXPECT_EQ(QuoteIdentifier("a.b\\'"), "\"a.b\\'\"");
  EXPECT_EQ(QuoteQualified("s.\"", "T"), "\"s.\"\"\".\"T\"");
}

TEST(Quote, Literals) {
  EXPECT_EQ(QuoteLiteral("plain"), "'plain'");
  EXPECT_EQ(QuoteLiteral(""), "''");
  EXPECT_EQ(QuoteLiteral("it's"), "'it''s'");
  EXPECT_EQ(QuoteLiteral("a\\'b"), " E'a\\\\''b'");
}

TEST(Quote, AScannerReadsBackWhateverIsQuoted) {
  constexpr std::string_view kAlphabet = "ab'\"\\$;-\n\xc3\xa4 E";
  for (unsigned seed = 1; seed <= 20'000; ++seed) {
    std::mt19937 random(seed);
    std::string text;
    for (size_t i = random() % 8; i > 0; --i) text += kAlphabet[random() % kAlphabet.size()];
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    const Token name = Scan(QuoteIdentifier(text), '"', false);
    ASSERT_TRUE(name.is_whole);
    ASSERT_EQ(name.text, text);
    for (const bool standard_conforming_strings : {true, false}) {
      const Token literal = ScanLiteral(QuoteLiteral(text), standard_conforming_strings);
      ASSERT_TRUE(literal.is_whole);
      ASSERT_EQ(literal.text, text);
    }
  }
}

TEST(Quote, AnArrayKeepsItsElementsApart) {
  EXPECT_EQ(ArrayLiteral({}), "{}");
  EXPECT_EQ(ArrayLiteral({"", "a,b", "c\"\\"}), R"({"","a,b","c\"\\"})");
}

TEST(Quote, ANulByteIsAnError) {
  const std::string text("a\0b", 3);
  EXPECT_THROW(static_cast<void>(QuoteIdentifier(text)), ConfigError);
  EXPECT_THROW(static_cast<void>(QuoteLiteral(text)), ConfigError);
}

}  // namespace
}  // namespace pgteal::pg
