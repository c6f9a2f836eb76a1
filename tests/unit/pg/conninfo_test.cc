#include "pg/conninfo.h"

#include <gtest/gtest.h>

#include <string>

#include "pg/error.h"

namespace pgteal::pg {
namespace {

TEST(ConnInfo, DescriptionNeverHoldsAPassword) {
  for (const char* text :
       {"host=h port=5433 dbname=d user=u password=secret sslpassword=secret",
        "postgresql://u:secret@h:5433/d?sslpassword=secret",
        "postgres://h:5433/d?user=u&password=secret", "password='se\\'secret' host=h"}) {
    const auto info = ConnInfo::Parse(text);
    EXPECT_EQ(info.Describe().find("secret"), std::string::npos) << info.Describe();
    EXPECT_NE(info.Describe().find("host=h"), std::string::npos) << info.Describe();
    EXPECT_NE(info.Get("password"), "") << "libpq still gets it";
  }
}

TEST(ConnInfo, DescriptionNamesTheServer) {
  EXPECT_EQ(ConnInfo::Parse("postgresql://u:p@h:5433/d").Describe(),
            "host=h port=5433 dbname=d user=u");
  EXPECT_EQ(ConnInfo::Parse("service=blue").Describe(), "service=blue");
  EXPECT_EQ(ConnInfo::Parse("").Describe(), "libpq defaults");
}

TEST(ConnInfo, AnUnusableStringIsAConfigErrorThatDoesNotEchoIt) {
  for (const char* text : {"host", "password=secret nonsense=secret", "postgresql://u:secret@[h/d",
                           "host='unfinished secret", "postgresql://h/d?secret=1"}) {
    try {
      ConnInfo::Parse(text);
      ADD_FAILURE() << "taken: " << text;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
      EXPECT_NE(error.hint(), "");
    }
  }
}

TEST(ConnInfo, WhatIsWrongIsSaidWithoutWordsThatMayBeSecret) {
  const auto reason = [](const char* text) -> std::string {
    try {
      ConnInfo::Parse(text);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "nothing is wrong";
  };
  EXPECT_EQ(reason("host=h hst=1"),
            "the connection string cannot be parsed: invalid connection option \"hst\"");
  for (const char* text :
       {"password=se cret=1", "secret", "password='a secret=1", "postgresql://u:secret@[h/d",
        "postgresql://h/d?secret=1", "postgresql://u:%zzsecret@h/d", "passwrd=\"secret secret=2"}) {
    EXPECT_EQ(reason(text).find("secret"), std::string::npos) << reason(text);
    EXPECT_GT(reason(text).size(), std::string("the connection string cannot be parsed: ").size());
  }
}

TEST(ConnInfo, SetReplacesAndSetDefaultDoesNot) {
  auto info = ConnInfo::Parse("host=a dbname=d");
  info.Set("host", "b");
  info.SetDefault("host", "c");
  info.SetDefault("connect_timeout", "5");
  EXPECT_EQ(info.Get("host"), "b");
  EXPECT_EQ(info.Get("connect_timeout"), "5");
  EXPECT_EQ(info.Get("user"), "");
  EXPECT_EQ(info.settings().size(), 3U);
}

TEST(ConnInfo, ValuesWithSpacesAndQuotesArriveWhole) {
  const auto info = ConnInfo::Parse("application_name='my \\'app\\'' options='-c a=b'");
  EXPECT_EQ(info.Get("application_name"), "my 'app'");
  EXPECT_EQ(info.Get("options"), "-c a=b");
}

}  // namespace
}  // namespace pgteal::pg
