//! Lists of small rows, compared with what RabbitMQ 4.3.6 answers.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[derive(Clone, Debug, Serialize)]
struct Thing {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
}

#[derive(Clone, Debug, Serialize)]
struct Stats {
    rate: f64,
}

impl Row for Thing {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

fn thing(name: &str, rate: Option<f64>) -> Thing {
    Thing { name: name.into(), stats: rate.map(|rate| Stats { rate }) }
}

fn things() -> Vec<Thing> {
    vec![thing("b", Some(2.0)), thing("Ab", None), thing("c", Some(10.0)), thing("a", Some(2.0))]
}

fn ask(query: &str) -> Result<Value, BadQuery> {
    let json = list(things(), &ListQuery::parse(query)?)?;
    Ok(serde_json::from_slice(&json).expect("JSON"))
}

fn names(query: &str) -> Vec<String> {
    let answer = ask(query).expect("a good query");
    let items = answer.get("items").unwrap_or(&answer).as_array().expect("a list").clone();
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn without_parameters_it_is_a_bare_list() {
    assert_eq!(names(""), ["b", "Ab", "c", "a"]);
    assert!(ask("pagination=true").unwrap().is_array());
}

#[test]
fn sorted_by_a_path_missing_ones_first_and_equal_ones_as_they_were() {
    assert_eq!(names("sort=stats.rate"), ["Ab", "b", "a", "c"]);
    assert_eq!(names("sort=stats.rate&sort_reverse=true"), ["c", "a", "b", "Ab"]);
    assert_eq!(names("sort=name"), ["Ab", "a", "b", "c"]);
    assert_eq!(names("sort=nothing"), ["b", "Ab", "c", "a"]);
}

#[test]
fn names_are_found_whatever_their_case() {
    assert_eq!(names("name=B"), ["b", "Ab"]);
    assert_eq!(names("name=^a&use_regex=true"), ["Ab", "a"]);
    assert!(names("name=(&use_regex=true").is_empty());
}

#[test]
fn pages_count_what_is_there() {
    let page = ask("page=2&page_size=3&columns=name").unwrap();
    let expected = json!({"total_count": 4, "item_count": 1, "filtered_count": 4, "page": 2,
        "page_size": 3, "page_count": 2, "items": [{"name": "a"}]});
    assert_eq!(page, expected);
    let none = ask("page=1&name=zzz").unwrap();
    assert_eq!((&none["page_count"], &none["filtered_count"]), (&json!(0), &json!(0)));
}

#[test]
fn bad_pages_are_refused_in_rabbitmqs_words() {
    for (query, text) in [
        ("page=9", "Page out of range, page: 9 page size: 100, len: 4"),
        ("page=0", "Invalid pagination parameters: page number 0, page size undefined"),
        ("page=1&page_size=501", "Invalid pagination parameters: page number 1, page size 501"),
        ("page=-1&page_size=5", "Invalid pagination parameters: page number -1, page size 5"),
        ("page=x", "Pagination parameters are invalid"),
    ] {
        assert_eq!(ask(query).unwrap_err().to_string(), text, "{query}");
    }
}

#[test]
fn columns_are_nested_as_the_object_is() {
    let expected = json!([{"name": "b", "stats": {"rate": 2.0}}, {"name": "Ab"},
        {"name": "c", "stats": {"rate": 10.0}}, {"name": "a", "stats": {"rate": 2.0}}]);
    assert_eq!(ask("columns=name,stats.rate,nothing,name.x").unwrap(), expected);
}

proptest! {
    #[test]
    fn no_query_is_too_strange(query in "\\PC{0,40}") {
        let _ = ask(&query);
    }

    /// All pages together are the whole list.
    #[test]
    fn pages_make_up_the_list(count in 0..40usize, size in 1..12usize) {
        let all: Vec<Thing> = (0..count).map(|n| thing(&format!("{n:02}"), None)).collect();
        let mut paged = Vec::new();
        for page in 1..=count.div_ceil(size).max(1) {
            let query = format!("page={page}&page_size={size}&sort=name&columns=name");
            let query = ListQuery::parse(&query).expect("good");
            let answer: Value = serde_json::from_slice(&list(all.clone(), &query).expect("good"))
                .expect("JSON");
            paged.extend(answer["items"].as_array().expect("items").clone());
        }
        let whole: Vec<Value> = all.iter().map(|each| json!({"name": each.name})).collect();
        prop_assert_eq!(paged, whole);
    }
}
