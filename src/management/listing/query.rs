//! The query parameters of lists: pages, names, order, columns.

use regex::RegexBuilder;

use crate::metrics::history::Span;

/// The page size that is meant if none is given.
const PAGE_SIZE: usize = 100;
/// The largest page.
const MAX_PAGE_SIZE: usize = 500;
/// How large a compiled name filter may be in bytes.
const REGEX_SIZE: usize = 1 << 20;

/// What a list call asks for.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Which page; without one the whole list is given.
    pub page: Option<PageQuery>,
    /// Only objects whose name fits.
    pub name: Option<NameFilter>,
    /// The path of the field to sort by.
    pub sort: Option<Vec<String>>,
    /// The other way round.
    pub sort_reverse: bool,
    /// The paths of the fields to give; empty means all.
    pub columns: Vec<Vec<String>>,
    /// Leave statistics out.
    pub disable_stats: bool,
    /// Give message counts although statistics are left out.
    pub enable_queue_totals: bool,
    /// Which samples are wanted.
    pub ages: Ages,
}

/// For how long samples are wanted, of each kind of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// `msg_rates_age`: of `message_stats`.
    pub rates: Option<Span>,
    /// `lengths_age`: of how many messages there are.
    pub lengths: Option<Span>,
    /// `data_rates_age`: of bytes.
    pub data: Option<Span>,
    /// `node_stats_age`: of a node's numbers.
    pub node: Option<Span>,
}

impl Ages {
    /// Whether any samples are wanted.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// A page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Which; the first is 1.
    pub number: usize,
    /// How many objects it has.
    pub size: usize,
}

/// Which names are wanted.
#[derive(Clone, Debug)]
pub enum NameFilter {
    /// Those that contain this, in lower case.
    Contains(String),
    /// Those that match, whatever their case.
    Matches(Box<regex::Regex>),
    /// None: the expression cannot be read. RabbitMQ finds nothing then.
    Nothing,
}

/// Query parameters that make no sense, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// Not numbers.
    #[error("Pagination parameters are invalid")]
    NotNumbers,
    /// Numbers out of range.
    #[error("Invalid pagination parameters: page number {page}, page size {size}")]
    OutOfBounds {
        /// The page.
        page: i64,
        /// Its size, as far as it was given.
        size: String,
    },
    /// There are not so many objects.
    #[error("Page out of range, page: {page} page size: {size}, len: {len}")]
    NoSuchPage {
        /// The page.
        page: usize,
        /// Its size.
        size: usize,
        /// How many objects there are.
        len: usize,
    },
}

impl ListQuery {
    /// Reads a query string.
    pub fn parse(query: &str) -> Result<Self, BadQuery> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let get =
            |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        let flag = |name| get(name) == Some("true");
        let name = get("name").filter(|name| !name.is_empty());
        let path = |text: &str| text.split('.').map(str::to_owned).collect();
        Ok(Self {
            page: PageQuery::parse(get("page"), get("page_size"))?,
            name: name.map(|name| NameFilter::new(name, flag("use_regex"))),
            sort: get("sort").filter(|path| !path.is_empty()).map(path),
            sort_reverse: flag("sort_reverse"),
            columns: get("columns")
                .into_iter()
                .flat_map(|all| all.split(','))
                .filter(|column| !column.is_empty())
                .map(path)
                .collect(),
            disable_stats: flag("disable_stats"),
            enable_queue_totals: flag("enable_queue_totals"),
            ages: Ages {
                rates: span(get("msg_rates_age"), get("msg_rates_incr")),
                lengths: span(get("lengths_age"), get("lengths_incr")),
                data: span(get("data_rates_age"), get("data_rates_incr")),
                node: span(get("node_stats_age"), get("node_stats_incr")),
            },
        })
    }
}

/// Seconds back, and seconds between samples; both are needed, as in RabbitMQ.
fn span(age: Option<&str>, step: Option<&str>) -> Option<Span> {
    let milliseconds = |text: &str| Some(text.parse::<u64>().ok()?.saturating_mul(1000));
    Some(Span { age: milliseconds(age?)?, step: milliseconds(step?)?.max(1000) })
}

impl PageQuery {
    fn parse(page: Option<&str>, size: Option<&str>) -> Result<Option<Self>, BadQuery> {
        let Some(page) = page else { return Ok(None) };
        let number = |text: &str| text.parse::<i64>().map_err(|_| BadQuery::NotNumbers);
        let page = number(page)?;
        let given = size.map(number).transpose()?;
        let out_of_bounds = || BadQuery::OutOfBounds {
            page,
            size: given.map_or_else(|| "undefined".to_owned(), |size| size.to_string()),
        };
        let size = given.unwrap_or(PAGE_SIZE as i64);
        let number = usize::try_from(page).map_err(|_| out_of_bounds())?;
        let size = usize::try_from(size).map_err(|_| out_of_bounds())?;
        if number == 0 || size == 0 || size > MAX_PAGE_SIZE {
            return Err(out_of_bounds());
        }
        Ok(Some(Self { number, size }))
    }
}

impl NameFilter {
    fn new(name: &str, is_regex: bool) -> Self {
        if !is_regex {
            return Self::Contains(name.to_lowercase());
        }
        let regex = RegexBuilder::new(name).case_insensitive(true).size_limit(REGEX_SIZE).build();
        regex.map_or(Self::Nothing, |regex| Self::Matches(Box::new(regex)))
    }

    /// Whether a name is wanted.
    pub fn fits(&self, name: &str) -> bool {
        match self {
            Self::Contains(part) => name.to_lowercase().contains(part),
            Self::Matches(regex) => regex.is_match(name),
            Self::Nothing => false,
        }
    }
}
