use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;

use super::fingerprint::Fingerprint;
use super::lines;
use crate::landscape::LandscapeError;

/// How every cache file starts. The number is the version of the format.
const START: &str = r#"{"format":"burnscape landscape cache 1""#;

/// The first line of a file. Whether it starts with [`START`] is checked before it is parsed.
#[derive(Deserialize)]
struct Header {
    run: Fingerprint,
}

/// The file of a landscape, locked against other runs as long as this exists.
#[derive(Debug)]
pub(in crate::landscape) struct Cache {
    path: String,
    file: File,
}

impl Cache {
    /// Opens the file of the run with this fingerprint, or makes it, and reads the values of the points that it has, by
    /// index. A point that it has more than once has the last of its values.
    ///
    /// # Errors
    ///
    /// [`LandscapeError::OtherCache`] for the file of another run; [`LandscapeError::Cache`] for any other file, for
    /// one that another run uses, and for one that cannot be read or written. The file is not changed then.
    pub(in crate::landscape) fn open(
        path: &Path,
        fingerprint: &Fingerprint,
    ) -> Result<(Self, BTreeMap<usize, Vec<f64>>), LandscapeError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let name = path.display().to_string();
        let mut cache = match options.open(path) {
            Ok(file) => Self { path: name, file },
            Err(error) => return Err(failed(&name, "be opened", &error)),
        };
        cache.lock()?;
        let (known, length) = cache.read(fingerprint)?;
        cache.cut(length)?;
        if length == 0 {
            cache.begin(fingerprint)?;
        }
        Ok((cache, known))
    }

    /// Refuses the file of other functions, whose values at a point differ from `own`.
    pub(in crate::landscape) fn check_point(
        &self,
        fingerprint: &Fingerprint,
        at: &[f64],
        cached: &[f64],
        own: &[f64],
    ) -> Result<(), LandscapeError> {
        self.same_run(fingerprint.difference_at(at, cached, own))
    }

    /// Adds points. Each line is written as a whole, unless the process or the device fails, and all of them are on the
    /// disk when this returns.
    pub(in crate::landscape) fn append(
        &mut self,
        points: &[(usize, Vec<f64>)],
    ) -> Result<(), LandscapeError> {
        let mut text = String::new();
        for (index, values) in points {
            text.push_str(&lines::written(*index, values));
        }
        self.write(&text)
    }

    fn lock(&self) -> Result<(), LandscapeError> {
        match self.file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                let message = "another run uses it; wait until that run ends, or use another path";
                Err(self.refused(message))
            }
            // Some file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            Err(TryLockError::Error(error)) => Err(failed(&self.path, "be locked", &error)),
        }
    }

    /// The points in the file, and the length of its whole lines in bytes.
    fn read(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<(BTreeMap<usize, Vec<f64>>, u64), LandscapeError> {
        let unreadable = |error: io::Error| failed(&self.path, "be read", &error);
        let mut reader = BufReader::new(&self.file);
        let start = reader.fill_buf().map_err(unreadable)?;
        let common = start.len().min(START.len());
        if start[..common] != START.as_bytes()[..common] {
            let message = "it is not the cache of a landscape, or another version of this library \
                           wrote it; use another path";
            return Err(self.refused(message));
        }
        let (mut known, mut length, mut line) = (BTreeMap::new(), 0, Vec::new());
        for number in 1_usize.. {
            line.clear();
            reader.read_until(b'\n', &mut line).map_err(unreadable)?;
            // The end of the file, or a line that was cut off. A power failure may leave zeros where a line was not
            // written; what follows them is dropped, too.
            let text = line.strip_suffix(b"\n");
            let Some(text) = text.filter(|text| !text.contains(&0)) else {
                break;
            };
            let text = String::from_utf8_lossy(text);
            if number == 1 {
                self.check(&text, fingerprint)?;
            } else {
                let columns = fingerprint.num_columns();
                let point = lines::read(&text, fingerprint.num_points(), columns);
                let (index, values) = point.map_err(|why| {
                    self.refused(&format!(
                        "line {number}: {why}; delete the line or the file"
                    ))
                })?;
                known.insert(index, values);
            }
            length += line.len() as u64;
        }
        Ok((known, length))
    }

    /// Refuses the header of another run.
    fn check(&self, header: &str, fingerprint: &Fingerprint) -> Result<(), LandscapeError> {
        let header: Header = match serde_json::from_str(header) {
            Ok(header) => header,
            Err(error) => {
                return Err(self.refused(&format!("line 1: {error}; delete the file")));
            }
        };
        self.same_run(fingerprint.difference(&header.run))
    }

    /// Refuses the file of another run, if there is a difference.
    fn same_run(&self, difference: Option<String>) -> Result<(), LandscapeError> {
        match difference {
            Some(what) => Err(LandscapeError::OtherCache {
                path: self.path.clone(),
                what,
            }),
            None => Ok(()),
        }
    }

    /// Writes the header.
    fn begin(&mut self, fingerprint: &Fingerprint) -> Result<(), LandscapeError> {
        match serde_json::to_string(fingerprint) {
            Ok(run) => self.write(&format!("{START},\"run\":{run}}}\n")),
            Err(error) => Err(failed(&self.path, "be written", &io::Error::from(error))),
        }
    }

    /// Cuts the file to this length, at whose end the next line is written.
    fn cut(&mut self, length: u64) -> Result<(), LandscapeError> {
        let cut = self.file.set_len(length);
        match cut.and_then(|()| self.file.seek(SeekFrom::Start(length))) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(&self.path, "be written", &error)),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), LandscapeError> {
        if text.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(text.as_bytes());
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => Ok(()),
            Err(error) => Err(failed(&self.path, "be written", &error)),
        }
    }

    fn refused(&self, message: &str) -> LandscapeError {
        LandscapeError::Cache {
            path: self.path.clone(),
            message: message.to_string(),
        }
    }
}

fn failed(path: &str, what: &str, error: &io::Error) -> LandscapeError {
    LandscapeError::Cache {
        path: path.to_string(),
        message: format!(
            "it cannot {what} ({error}); use the path of a file in a folder that exists and can be \
             written"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::fingerprint::tests::example;
    use super::*;

    /// A path of its own, whose file is deleted at the end.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("burnscape-cache-{}-{count}.csv", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn open(&self) -> Result<(Cache, BTreeMap<usize, Vec<f64>>), LandscapeError> {
            Cache::open(&self.0, &example())
        }

        /// The points that a run finds.
        fn known(&self) -> BTreeMap<usize, Vec<f64>> {
            self.open().unwrap().1
        }

        fn refusal(&self) -> String {
            self.open().unwrap_err().to_string()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn points() -> [(usize, Vec<f64>); 3] {
        let values = [vec![0.1, -2.5], vec![f64::INFINITY, 0.0], vec![1e300, 7.0]];
        let mut indices = [4, 0, 5].into_iter();
        values.map(|values| (indices.next().unwrap(), values))
    }

    /// The bytes of a file with all points.
    fn written(place: &Place) -> Vec<u8> {
        let (mut cache, known) = place.open().unwrap();
        assert!(known.is_empty());
        let [first, second, third] = points();
        cache.append(&[first, second]).unwrap();
        cache.append(&[]).unwrap();
        cache.append(&[third]).unwrap();
        fs::read(&place.0).unwrap()
    }

    #[test]
    fn what_is_added_is_there_when_the_file_is_opened_again() {
        let place = Place::new();
        let bytes = written(&place);
        assert_eq!(place.known(), BTreeMap::from(points()));
        assert_eq!(fs::read(&place.0).unwrap(), bytes);
    }

    #[test]
    fn a_file_cut_at_any_byte_keeps_its_whole_lines() {
        let place = Place::new();
        let bytes = written(&place);
        for end in 0..bytes.len() {
            fs::write(&place.0, &bytes[..end]).unwrap();
            let breaks = bytes[..end].iter().filter(|&&byte| byte == b'\n').count();
            let lines = breaks.saturating_sub(1);
            let expected: BTreeMap<_, _> = points().into_iter().take(lines).collect();
            let (mut cache, known) = place.open().unwrap();
            assert_eq!(known, expected);
            cache.append(&points()[lines..]).unwrap();
            drop(cache);
            assert_eq!(fs::read(&place.0).unwrap(), bytes, "cut at {end}");
        }
    }

    #[test]
    fn zeros_where_a_line_was_not_written_count_as_cut() {
        let place = Place::new();
        let bytes = written(&place);
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts: Vec<usize> = breaks.map(|(at, _)| at + 1).collect();
        let ends_in_zeros = |start: usize| [&bytes[..start], &[0_u8; 700]].concat();
        // Zeros from the middle of the second point on; then the rest of the file is there again.
        let mut torn = bytes.clone();
        torn[starts[1] + 2..starts[2] - 1].fill(0);
        let mut joined = bytes.clone();
        joined[starts[1] + 2..=starts[2]].fill(0);
        for (text, lines) in [
            (ends_in_zeros(starts[0] - 1), 0),
            (ends_in_zeros(starts[0]), 0),
            (ends_in_zeros(starts[1] + 1), 1),
            (ends_in_zeros(starts[3]), 3),
            (torn, 1),
            (joined, 1),
        ] {
            fs::write(&place.0, &text).unwrap();
            let (mut cache, known) = place.open().unwrap();
            let expected: BTreeMap<_, _> = points().into_iter().take(lines).collect();
            assert_eq!(known, expected);
            cache.append(&points()[lines..]).unwrap();
            drop(cache);
            assert_eq!(fs::read(&place.0).unwrap(), bytes, "{lines}");
        }
        // A file of nothing but zeros may be another program's.
        fs::write(&place.0, [0_u8; 700]).unwrap();
        assert!(place.refusal().contains("not the cache"));
        assert_eq!(fs::read(&place.0).unwrap(), [0_u8; 700]);
    }

    #[test]
    fn the_file_of_other_functions_is_refused() {
        let place = Place::new();
        let (cache, _) = place.open().unwrap();
        let check =
            |cached: &[f64], own: &[f64]| cache.check_point(&example(), &[-1.0, 0.5], cached, own);
        assert_eq!(check(&[0.5, 1.0], &[0.5, 1.0]), Ok(()));
        assert_eq!(
            check(&[0.5, 1.0], &[0.5, 1.5]),
            Err(LandscapeError::OtherCache {
                path: place.0.display().to_string(),
                what:
                    "it differs in the value of `error` at point [-1.0, 0.5] (1, now 1.5), which \
                       is another function"
                        .to_string(),
            })
        );
    }

    #[test]
    fn the_last_values_of_a_point_count() {
        let place = Place::new();
        written(&place);
        let (mut cache, _) = place.open().unwrap();
        cache.append(&[(0, vec![3.0, 4.0])]).unwrap();
        drop(cache);
        let known = place.known();
        assert_eq!((known.len(), &known[&0]), (3, &vec![3.0, 4.0]));
    }

    #[test]
    fn what_is_not_a_cache_is_refused_and_stays_as_it_is() {
        let place = Place::new();
        let whole = String::from_utf8(written(&place)).unwrap();
        let header = whole.split_inclusive('\n').next().unwrap();
        for (text, message) in [
            ("\n".to_string(), "not the cache"),
            ("x,y,loss\n0,0,1\n".to_string(), "not the cache"),
            ("notes".to_string(), "not the cache"),
            (format!("{START}}}\n"), "line 1: missing field `run`"),
            (format!("{START},\n"), "line 1: "),
            (format!("{whole}6,1,2\n"), "line 5: there is no point 6"),
            (format!("{whole}1,2\n{whole}"), "line 5: it has 1 values"),
            (format!("{header}0,1,2\n\n"), "line 3: `` is not the index"),
            (format!("{header}{header}"), "line 2: "),
        ] {
            fs::write(&place.0, &text).unwrap();
            let found = place.refusal();
            assert!(found.contains(message), "{found}");
            assert!(found.contains(&place.0.display().to_string()), "{found}");
            assert_eq!(fs::read_to_string(&place.0).unwrap(), text);
        }
        fs::write(&place.0, [header.as_bytes(), b"0,\xFF,1\n"].concat()).unwrap();
        assert!(place.refusal().contains("line 2: "));
    }

    #[test]
    fn the_file_of_another_run_is_refused_and_stays_as_it_is() {
        let place = Place::new();
        let text = String::from_utf8(written(&place)).unwrap();
        let text = text.replace(r#"["the weights","01"]"#, r#"["the weights","10"]"#);
        fs::write(&place.0, &text).unwrap();
        assert_eq!(
            place.open().unwrap_err(),
            LandscapeError::OtherCache {
                path: place.0.display().to_string(),
                what: "it differs in the weights".to_string(),
            }
        );
        assert_eq!(fs::read_to_string(&place.0).unwrap(), text);
    }

    #[test]
    fn one_run_at_a_time_uses_a_file() {
        let place = Place::new();
        let (cache, _) = place.open().unwrap();
        assert!(place.refusal().contains("another run uses it"));
        drop(cache);
        assert!(place.known().is_empty());
    }

    #[test]
    fn a_folder_and_a_file_in_a_folder_that_is_missing_are_refused() {
        let missing = Place::new().0.join("cache.csv");
        for path in [std::env::temp_dir(), missing] {
            let error = Cache::open(&path, &example()).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert!(error.contains("cannot be opened"), "{error}");
            assert!(error.contains("in a folder that exists"), "{error}");
        }
    }
}
