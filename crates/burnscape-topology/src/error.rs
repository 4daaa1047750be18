use thiserror::Error;

/// The errors of fields, graphs, trees, diagrams and distances.
///
/// # Example
///
/// ```
/// use burnscape_topology::{ScalarField, TopologyError};
///
/// let error = ScalarField::new(&[1.0, 2.0], &[3]).map(|_| ());
/// assert_eq!(error, Err(TopologyError::Length { shape: vec![3], expected: 3, found: 2 }));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// A shape without axes.
    #[error("the shape has no axes; give the length of at least one")]
    NoAxes,
    /// An axis of length zero.
    #[error("axis {axis} has length 0; give every axis at least one point")]
    EmptyAxis {
        /// The axis.
        axis: usize,
    },
    /// Numbers that do not fill their shape.
    #[error("shape {shape:?} has {expected} cells, found {found} values; give one value a cell")]
    Length {
        /// The shape.
        shape: Vec<usize>,
        /// The number of its cells.
        expected: usize,
        /// The number of values given.
        found: usize,
    },
    /// More cells, models, or paths than their indices can count.
    #[error("{cells} cells are more than {limit}; use a coarser grid, or a part of it")]
    TooManyCells {
        /// The number of cells.
        cells: usize,
        /// The largest one.
        limit: usize,
    },
    /// More axes than full connectivity is offered for.
    #[error(
        "full connectivity has 3^{axes} − 1 neighbors and is offered up to {limit} axes longer than 1; use \
         `Connectivity::Axis`"
    )]
    TooManyAxes {
        /// The number of axes longer than 1.
        axes: usize,
        /// The largest one.
        limit: usize,
    },
    /// Fewer axes than the question needs.
    #[error(
        "a field with {axes} axis has no top persistence of its own; use `run`, or a field with two axes or more"
    )]
    TooFewAxes {
        /// The number of axes.
        axes: usize,
    },
    /// A value is NaN and the policy refuses it.
    #[error(
        "the value of cell {cell} at {coordinates:?} is NaN; evaluate it again, or choose `NanPolicy::Wall` or \
         `NanPolicy::Top`"
    )]
    NanCell {
        /// The first such cell.
        cell: usize,
        /// Its index along each axis.
        coordinates: Vec<usize>,
    },
    /// A cell that the field does not have.
    #[error("there is no cell {cell} among {cells}; use indices of the same field")]
    NoCell {
        /// The cell.
        cell: usize,
        /// The number of cells.
        cells: usize,
    },
    /// A field of another shape than the tree's.
    #[error(
        "the tree is of a field of shape {expected:?}, found {found:?}; pass the field that it was made of"
    )]
    OtherField {
        /// The shape of the tree's field.
        expected: Vec<usize>,
        /// The shape of the given field.
        found: Vec<usize>,
    },
    /// A tree of a graph where a grid is needed.
    #[error("the tree is of a graph, which has no cells; use a tree of a field")]
    NotAGrid,
    /// A graph without models.
    #[error("the graph has no models; give at least one loss")]
    NoModels,
    /// The loss of a model is NaN.
    #[error("the loss of model {model} is NaN; leave it out, or evaluate it again")]
    NanLoss {
        /// The model.
        model: usize,
    },
    /// The value of a path is NaN.
    #[error(
        "the path between models {first} and {second} has value NaN; leave it out, or evaluate it again"
    )]
    NanPath {
        /// One end.
        first: usize,
        /// The other end.
        second: usize,
    },
    /// A path that ends at a model that is not there, or where it began.
    #[error(
        "a path between {first} and {second} is no edge of {models} models; connect two different ones"
    )]
    NoEdge {
        /// One end.
        first: usize,
        /// The other end.
        second: usize,
        /// The number of models.
        models: usize,
    },
    /// A number outside its range.
    #[error("`{name}` is {value}; give {allowed}")]
    OutOfRange {
        /// The argument.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The allowed values.
        allowed: &'static str,
    },
    /// Coordinates that do not fit the axes of the grid.
    #[error(
        "axis {axis} has {expected} points, found {found} coordinates that increase; give one a point, in order"
    )]
    Coordinates {
        /// The axis.
        axis: usize,
        /// The number of its points.
        expected: usize,
        /// The number of coordinates up to the first one that is not larger than the one before it.
        found: usize,
    },
    /// A point of a diagram is NaN.
    #[error("point {index} of the diagram is NaN; remove it")]
    NanPoint {
        /// Its index.
        index: usize,
    },
    /// Two diagrams that cannot be compared.
    #[error("the diagrams differ in {what}; compare diagrams of the same kind")]
    OtherKind {
        /// In what they differ.
        what: &'static str,
    },
    /// Two diagrams with too many pairs of points.
    #[error(
        "diagrams of {first} and {second} finite points have more than {limit} pairs; simplify first, with \
         `MergeTree::simplified` or `Diagram::above`"
    )]
    TooManyPairs {
        /// Points of the first.
        first: usize,
        /// Points of the second.
        second: usize,
        /// The most pairs.
        limit: usize,
    },
    /// A record that contradicts itself.
    #[error("`{field}` of the record contradicts the rest of it; compute it again")]
    InvalidRecord {
        /// The field.
        field: &'static str,
    },
}
