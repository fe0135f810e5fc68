export default () => "a string as the state";
