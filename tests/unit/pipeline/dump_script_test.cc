#include "pipeline/dump_script.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

constexpr const char* kScript = R"(--
-- PostgreSQL database dump
--

\restrict key

SET statement_timeout = 0;

SET default_tablespace = '';

--
-- Name: t; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.t (
    a integer
);


ALTER TABLE public.t OWNER TO postgres;

SET default_tablespace = fast;

--
-- Name: odd; Type: name; Type: FUNCTION; Schema: my schema; Owner: somebody
--

CREATE FUNCTION f() AS '
--
-- Name: not a header
--
';


--
-- PostgreSQL database dump complete
--

\unrestrict key

)";

TEST(DumpScript, EntriesAreTakenApartAndSettingsStayInForce) {
  const auto items = SplitScript(kScript);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].name, "t");
  EXPECT_EQ(items[0].type, "TABLE");
  EXPECT_EQ(items[0].schema, "public");
  EXPECT_EQ(items[0].settings, "SET default_tablespace = '';\n");
  EXPECT_EQ(items[0].sql,
            "CREATE TABLE public.t (\n    a integer\n);\n\n\nALTER TABLE public.t OWNER TO "
            "postgres;");
  EXPECT_EQ(items[1].name, "odd; Type: name");
  EXPECT_EQ(items[1].type, "FUNCTION");
  EXPECT_EQ(items[1].schema, "my schema");
  EXPECT_EQ(items[1].settings, "SET default_tablespace = fast;\n");
  EXPECT_EQ(items[1].sql, "CREATE FUNCTION f() AS '\n--\n-- Name: not a header\n--\n';");
}

TEST(DumpScript, AnEmptyScriptHasNoEntries) { EXPECT_TRUE(SplitScript("").empty()); }

TEST(DumpScript, WhatSchemasGrantComesRightAfterThem) {
  const auto items = WithEarlyGrants({
      {.name = "hall", .type = "SCHEMA", .schema = "-"},
      {.name = "attic", .type = "SCHEMA", .schema = "-"},
      {.name = "g", .type = "TABLE", .schema = "hall"},
      {.name = "SCHEMA hall",
       .type = "ACL",
       .sql = "REVOKE ALL ON SCHEMA hall FROM landlord;\nGRANT ALL ON SCHEMA hall TO guest;\n"
              "SET SESSION AUTHORIZATION guest;\nGRANT USAGE ON SCHEMA hall TO other;\n"
              "RESET SESSION AUTHORIZATION;\nGRANT USAGE ON SCHEMA hall TO PUBLIC;"},
      {.name = "SCHEMA public", .type = "ACL", .sql = "GRANT ALL ON SCHEMA public TO guest;"},
      {.name = "SCHEMA attic", .type = "ACL", .sql = "REVOKE ALL ON SCHEMA attic FROM PUBLIC;"},
      {.name = "TABLE g", .type = "ACL", .sql = "GRANT SELECT ON TABLE hall.g TO guest;"},
  });
  std::string names;
  for (const auto& item : items) names += item.type + " " + item.name + ", ";
  EXPECT_EQ(names,
            "ACL SCHEMA public, SCHEMA hall, ACL SCHEMA hall, SCHEMA attic, TABLE g, "
            "ACL SCHEMA hall, ACL SCHEMA public, ACL SCHEMA attic, ACL TABLE g, ");
  EXPECT_EQ(items[2].sql,
            "GRANT ALL ON SCHEMA hall TO guest;\nGRANT USAGE ON SCHEMA hall TO PUBLIC;\n");
}

}  // namespace
}  // namespace pgteal::pipeline
