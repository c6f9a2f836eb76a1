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

}  // namespace
}  // namespace pgteal::pipeline
